package config

import "reflect"

// Changed returns the paths of the keys that have other values in b than in a and that
// change the mathematics.
func Changed(a, b Config) (paths []string) {
	for i := range keys {
		k := &keys[i]
		if k.kind != group && !k.free && !reflect.DeepEqual(k.field(&a), k.field(&b)) {
			paths = append(paths, k.path)
		}
	}
	return paths
}
