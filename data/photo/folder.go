package photo

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// extensions are those of the files that Folder returns.
var extensions = []string{".png", ".jpg", ".jpeg", ".gif"}

// Folder returns the paths of the pictures in a folder, sorted by name: the files
// with a usual extension, without those in folders below and without hidden ones.
func Folder(path string) ([]string, error) {
	entries, err := os.ReadDir(path) // sorted
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() && !strings.HasPrefix(name, ".") && slices.Contains(extensions, strings.ToLower(filepath.Ext(name))) {
			paths = append(paths, filepath.Join(path, name))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no pictures in this folder: want files ending in %s", path, strings.Join(extensions, ", "))
	}
	return paths, nil
}
