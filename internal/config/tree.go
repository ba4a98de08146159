package config

// Node is a piece of the file that is read later, by who knows its shape.
type Node struct {
	line, column int
}
