package config

// Key is what other programs may want to know of a key, such as a shell's completion.
type Key struct {
	Path   string   // "train.rate.initial"
	Values []string // all values that are legal, if they are few; else empty
	IsPath bool     // whether the value is the path of a file or folder
}

// Keys returns all keys that have values.
func Keys() []Key {
	var all []Key
	for i := range keys {
		k := &keys[i]
		values := k.choices
		if k.kind == boolean {
			values = []string{"true", "false"}
		}
		if k.kind != group {
			all = append(all, Key{Path: k.path, Values: values, IsPath: k.isPath})
		}
	}
	return all
}
