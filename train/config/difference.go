package config

// Difference is a key that several configurations give other values.
type Difference struct {
	Path   string   `json:"key"`
	Values []string `json:"values"` // as in YAML; "" where the configuration does not have the key
}

// Differences returns the keys that differ between configurations, in the order of the
// table. Of keys that exclude each other a configuration has one.
func Differences(all []Config) []Difference {
	var found []Difference
	for i := range keys {
		k := &keys[i]
		if k.kind == group {
			continue
		}
		d := Difference{Path: k.path}
		differs := false
		for j := range all {
			value := ""
			if !k.exclusive || k.name() == all[j].Model.Init.Kind() {
				value = format(k.field(&all[j]))
			}
			differs = differs || j > 0 && value != d.Values[0]
			d.Values = append(d.Values, value)
		}
		if differs {
			found = append(found, d)
		}
	}
	return found
}
