mod owned;
