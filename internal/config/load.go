package config

import (
	"os"
)

// Load reads the file at path with this process's environment. The error is
// *Mistakes unless the file can't be read at all. The Config beside *Mistakes
// is what could be made out, for finding more mistakes and for nothing else.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, os.LookupEnv, os.ReadFile)
}

// Parse is Load of a file's data. The name is used in mistakes only; env and
// readFile answer what ${NAME} and ${file:NAME} ask for, and readFile whether
// the files of NATS' credentials can be read.
func Parse(name string, data []byte, env func(string) (string, bool), readFile func(string) ([]byte, error)) (*Config, error) {
	c := defaults()
	c.file = &file{name: name}
	mistakes := &Mistakes{File: name}
	r := reader{
		file:     c.file,
		mistakes: mistakes,
		filler:   filler{env: env, readFile: readFile},
		anchors:  map[string]*Node{},
	}
	if root := r.read(data); root != nil {
		p := place{node: root, line: root.line, column: root.column}
		d := decoder{mistakes: mistakes}
		d.structureOf(p, c)
		(&rules{mistakes: mistakes, readFile: readFile}).config(p, c)
	}
	c.file.clamp(mistakes)
	return c, mistakes.orNil()
}
