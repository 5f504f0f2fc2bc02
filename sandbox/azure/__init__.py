"""An embedded Azure on loopback HTTPS that the real, unmodified Azure SDK clients talk to."""
