// Package human writes quantities for people.
package human

import (
	"fmt"
	"strconv"
)

// Bytes writes an amount of bytes in the unit that fits it.
func Bytes(n int64) string {
	const unit = 1024
	value, units := float64(n)/unit, []string{"kB", "MB", "GB"}
	for value >= unit && len(units) > 1 {
		value, units = value/unit, units[1:]
	}
	if value < 10 {
		return fmt.Sprintf("%.1f %s", value, units[0])
	}
	return fmt.Sprintf("%.0f %s", value, units[0])
}

// Count writes a number that is not negative, its thousands apart.
func Count(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
