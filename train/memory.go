package train

import "trainer/train/config"

// Memory returns the bytes that a session of this configuration takes at least, beside
// its machine and data.
func Memory(c config.Config) int64 {
	copies := int64(3) // the last parameters, the best, and a copy to compare or save
	if runs := c.Train.Runs.Count; runs > 1 {
		copies = int64(runs) + 1
	}
	return 8 * int64(c.Network().Size()) * copies
}
