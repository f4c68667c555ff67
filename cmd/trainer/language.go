package main

import (
	"os"

	"trainer/train/lang"
)

// language is that of the user's environment.
func language() lang.Language { return lang.FromLocale(os.Getenv) }
