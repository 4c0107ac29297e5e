"""The pure half: values and arrays in, values and arrays out."""
