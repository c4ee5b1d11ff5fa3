package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the picture of docs/architecture.md: what each room may import of
// the others. Within itself a room may import everything.
var mayImport = map[string][]string{
	"facility":  {},
	"configs":   {},
	"devices":   {"facility"},
	"rules":     {"facility"},
	"storage":   {"facility"},
	"dashboard": {"facility"},
	"gateway":   {"configs", "dashboard", "devices", "facility", "rules", "storage"},
}

// onlyInTests are imports that a room's tests may have besides.
var onlyInTests = map[string][]string{
	"devices":   {"configs"},
	"rules":     {"configs"},
	"dashboard": {"configs"},
}

func TestRoomsImportOnlyWhatThePictureShows(t *testing.T) {
	seen := map[string]int{}
	walk := func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "node_modules" || d.Name() == "tools" || strings.HasPrefix(d.Name(), ".git") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		room := strings.Split(filepath.ToSlash(rel), "/")[0]
		allowed, known := mayImport[room]
		if !known {
			t.Errorf("%s: no room of this name stands in docs/architecture.md", rel)
			return nil
		}
		seen[room]++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			parts := strings.Split(imported, "/")
			test := strings.HasSuffix(path, "_test.go")
			if room == "facility" && !test && strings.Contains(parts[0], ".") {
				t.Errorf("%s imports %s: facility stands on the standard library alone", rel, imported)
			}
			if parts[0] != "gengfu" || len(parts) < 2 || parts[1] == room {
				continue
			}
			if !slices.Contains(allowed, parts[1]) && !(test && slices.Contains(onlyInTests[room], parts[1])) {
				t.Errorf("%s imports %s: %s may import %v", rel, imported, room, allowed)
			}
		}
		return nil
	}
	if err := filepath.WalkDir("..", walk); err != nil {
		t.Fatal(err)
	}
	for room := range mayImport {
		if seen[room] == 0 {
			t.Errorf("room %s is empty", room)
		}
	}
}
