package train

import "time"

// SaveEvery sets the least time between two saves, until restore is called.
func SaveEvery(d time.Duration) (restore func()) {
	before := saveEvery
	saveEvery = d
	return func() { saveEvery = before }
}

// PauseEvery sets the time after which an epoch pauses for a checkpoint, likewise.
func PauseEvery(d time.Duration) (restore func()) {
	before := pauseEvery
	pauseEvery = d
	return func() { pauseEvery = before }
}
