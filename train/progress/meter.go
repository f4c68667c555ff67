package progress

import "time"

// meter measures samples per second and estimates the remaining time.
type meter struct {
	start time.Time
	first int // number of samples that were done at the start

	at    time.Time // when rate was last updated
	total int       // number of samples done at that time
	rate  float64   // recent samples per second, including the evaluation between epochs
}

// begin starts the clock; total samples are already done.
func (m *meter) begin(now time.Time, total int) {
	m.start, m.first = now, total
	m.at, m.total = now, total
}

// add records that total samples are done now.
func (m *meter) add(now time.Time, total int) {
	dt := now.Sub(m.at).Seconds()
	if dt <= 0 || total <= m.total {
		return
	}
	rate := float64(total-m.total) / dt
	if m.rate > 0 {
		// An average over the last seconds, so that the number is steady
		// enough to read.
		const memory = 2.0 // seconds
		weight := dt / (dt + memory)
		rate = weight*rate + (1-weight)*m.rate
	}
	m.at, m.total, m.rate = now, total, rate
}

// left returns the remaining time until all samples are done, at the average speed
// of the run so far. It returns a negative number if the speed is not yet known.
func (m *meter) left(now time.Time, all int) time.Duration {
	done := m.total - m.first
	elapsed := now.Sub(m.start)
	if done <= 0 || elapsed <= 0 {
		return -1
	}
	return time.Duration(float64(elapsed) * float64(all-m.total) / float64(done))
}
