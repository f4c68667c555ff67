package data

// Sums returns the SHA-256 sums of the images and of the labels, in hexadecimal: of
// the IDX files, not compressed, that WriteIDX would write. So for MNIST they are
// those of the published files, and equal sets have equal sums whatever the format of
// their files.
func (s *Set) Sums() (images, labels string) {
	return sum(imagesHeader(s), s.Pixels), sum(labelsHeader(s), s.Labels)
}
