import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import java.lang.reflect.Field;
import java.net.InetSocketAddress;
import org.apache.rocketmq.broker.BrokerController;
import org.apache.rocketmq.broker.BrokerStartup;
import org.apache.rocketmq.common.namesrv.NamesrvConfig;
import org.apache.rocketmq.common.topic.TopicValidator;
import org.apache.rocketmq.namesrv.NamesrvController;
import org.apache.rocketmq.proxy.ProxyStartup;
import org.apache.rocketmq.proxy.config.Configuration;
import org.apache.rocketmq.proxy.config.ConfigurationManager;
import org.apache.rocketmq.proxy.grpc.interceptor.ContextInterceptor;
import org.apache.rocketmq.proxy.grpc.interceptor.GlobalExceptionInterceptor;
import org.apache.rocketmq.proxy.grpc.interceptor.HeaderInterceptor;
import org.apache.rocketmq.proxy.grpc.v2.GrpcMessagingApplication;
import org.apache.rocketmq.proxy.processor.DefaultMessagingProcessor;
import org.apache.rocketmq.remoting.netty.NettyServerConfig;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.ha.DefaultHAService;

/**
 * RocketMQ's name server, broker and gRPC proxy in one process that listens on the loopback only: what NamesrvStartup and
 * ProxyStartup (in its mode "local") do, without the proxy's second port and without replication.
 *
 * Arguments: the name server's port, the broker's configuration, the proxy's, and the proxy's port.
 */
public final class Launcher {
    private static final String LOOPBACK = "127.0.0.1";

    public static void main(String[] arguments) {
        try {
            NamesrvController nameServer = nameServer(Integer.parseInt(arguments[0]));
            broker(nameServer, arguments[1], arguments[2], Integer.parseInt(arguments[3]));
        } catch (Throwable error) {
            error.printStackTrace();
            // Threads that were started keep the process, and a shutdown in order waits for some that weren't.
            Runtime.getRuntime().halt(1);
        }
    }

    private static NamesrvController nameServer(int port) throws Exception {
        NettyServerConfig listens = new NettyServerConfig();
        listens.setBindAddress(LOOPBACK);
        listens.setListenPort(port);
        NamesrvController controller = new NamesrvController(new NamesrvConfig(), listens);
        controller.initialize();
        // No hook shuts it down: the broker still talks to it while it shuts down itself.
        controller.start();
        return controller;
    }

    private static void broker(NamesrvController nameServer, String brokerFile, String proxyFile, int port)
        throws Exception {
        System.setProperty(Configuration.CONFIG_PATH_PROPERTY, proxyFile);
        ConfigurationManager.initEnv();
        ConfigurationManager.intConfig();
        // Clients are told to come by it.
        ConfigurationManager.getProxyConfig().setGrpcServerPort(port);
        BrokerController broker = BrokerStartup.createBrokerController(new String[] {"-c", brokerFile});
        withoutReplication(broker);
        DefaultMessagingProcessor processor = DefaultMessagingProcessor.createForLocalMode(broker);
        GrpcMessagingApplication application = GrpcMessagingApplication.create(processor);
        broker.start();
        // Where the first time fails, it would say in ten seconds only that it is there.
        while (nameServer.getRouteInfoManager().pickupTopicRouteData(TopicValidator.RMQ_SYS_SELF_TEST_TOPIC) == null) {
            broker.registerBrokerAll(true, false, true);
            Thread.sleep(20);
        }
        processor.start();
        application.start();
        NettyServerBuilder.forAddress(new InetSocketAddress(LOOPBACK, port))
            .maxInboundMessageSize(ConfigurationManager.getProxyConfig().getGrpcMaxInboundMessageSize())
            .executor(ProxyStartup.createServerExecutor())
            .addService(application)
            .intercept(new GlobalExceptionInterceptor())
            .intercept(new ContextInterceptor())
            .intercept(new HeaderInterceptor())
            .build()
            .start();
    }

    /** It would listen for replicas on every address. */
    private static void withoutReplication(BrokerController broker) throws Exception {
        Field replication = DefaultMessageStore.class.getDeclaredField("haService");
        replication.setAccessible(true);
        replication.set(broker.getMessageStore(), new DefaultHAService() {
            @Override
            public void init(DefaultMessageStore store) {
                // Nothing is listened on.
            }

            @Override
            public void start() {
                // Nor started.
            }

            @Override
            public void shutdown() {
                // Nor ended.
            }
        });
    }
}
