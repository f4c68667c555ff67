package progress

import "time"

// meter measures samples a second and the time left.
type meter struct {
	start time.Time
	first int // samples that were done at the start

	at    time.Time // of the last rate
	total int       // samples done then
	rate  float64   // samples a second, of late; evaluation between epochs included
}

// begin starts the clock when so many samples are done.
func (m *meter) begin(now time.Time, total int) {
	m.start, m.first = now, total
	m.at, m.total = now, total
}

// add says how many samples are done now.
func (m *meter) add(now time.Time, total int) {
	dt := now.Sub(m.at).Seconds()
	if dt <= 0 || total <= m.total {
		return
	}
	rate := float64(total-m.total) / dt
	if m.rate > 0 {
		// The average over the last seconds: the number is still readable.
		const memory = 2.0 // seconds
		weight := dt / (dt + memory)
		rate = weight*rate + (1-weight)*m.rate
	}
	m.at, m.total, m.rate = now, total, rate
}

// left returns the time that is left until all samples are done, at the speed
// of the run so far, and a negative number when that is not known.
func (m *meter) left(now time.Time, all int) time.Duration {
	done := m.total - m.first
	elapsed := now.Sub(m.start)
	if done <= 0 || elapsed <= 0 {
		return -1
	}
	return time.Duration(float64(elapsed) * float64(all-m.total) / float64(done))
}
