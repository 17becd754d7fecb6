"""What starts work: new images."""
