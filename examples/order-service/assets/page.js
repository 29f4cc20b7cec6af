// What the page does beyond htmx: it keeps what was typed, and says whether it is live.
"use strict";

// The page is changed in place while people type. What they typed is theirs.
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) =>
  !(name === "value" && element instanceof HTMLInputElement && element.type !== "hidden"
    && element.value !== element.defaultValue);

const say = (id, text) => {
  const element = document.getElementById(id);
  if (element && element.textContent !== text) element.textContent = text;
};

const connection = (state, text) => {
  document.documentElement.dataset.connection = state;
  say("connection", text);
};

document.addEventListener("htmx:sseOpen", () => connection("live", "live"));
document.addEventListener("htmx:sseError", () => connection("lost", "connection lost, trying again"));
document.addEventListener("htmx:sendError", (event) => {
  // A refresh that fails is told by the connection.
  if (event.detail.requestConfig?.verb !== "get") {
    say("notice", "The service could not be reached. Nothing is known of what you asked for; try again.");
  }
});
