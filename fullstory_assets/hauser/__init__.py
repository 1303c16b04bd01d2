"""What a user of hauser, FullStory's own exporter, brings along: its configuration and how far it came."""
