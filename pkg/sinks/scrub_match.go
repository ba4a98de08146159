package sinks

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// The matchers return how many runes from text[i] on are to be hidden, 0 for none.

func matchSecret(text []rune, i int, secrets [][]rune) int {
	first := foldRune(text[i])
	for _, secret := range secrets {
		if first != secret[0] || len(text)-i < len(secret) || !equalFolded(text[i:i+len(secret)], secret) {
			continue
		}
		if len(secret) < minInside && (inWord(text, i-1) || inWord(text, i+len(secret))) {
			continue
		}
		return len(secret)
	}
	return 0
}

// matchMail finds local@domain, with the @ also in its escaped forms. It is tried
// at the first character only of those that can stand before the @, so that a long
// word is looked through once.
func matchMail(text []rune, i int) int {
	if !isLocal(text[i]) || i > 0 && isLocal(text[i-1]) {
		return 0
	}
	at, n := i, 0
	for ; at < len(text) && isLocal(text[at]); at++ {
		if n = atSign(text[at:]); n > 0 {
			break
		}
	}
	if n == 0 && at < len(text) {
		n = atSign(text[at:])
	}
	if n == 0 || at == i {
		return 0
	}
	end := at + n
	for end < len(text) && (isWord(text[end]) || text[end] == '-' || text[end] == '.') {
		end++
	}
	for end > at+n && !isWord(text[end-1]) { // the full stop of a sentence
		end--
	}
	if end == at+n {
		return 0
	}
	return end - i
}

func isLocal(r rune) bool { return isWord(r) || strings.ContainsRune(".%+-", r) }

func atSign(text []rune) int {
	for _, form := range [...]string{"@", "%40", `\u0040`, "&#64;", "&commat;"} {
		if len(text) >= len(form) && equalFolded(text[:len(form)], []rune(form)) {
			return len(form)
		}
	}
	return 0
}

// matchPhone finds seven digits and more, alone or parted by what phones are
// written with.
func matchPhone(text []rune, i int) int {
	if i > 0 && isDigit(text[i-1]) || !isDigit(text[i]) && !strings.ContainsRune("+(", text[i]) {
		return 0
	}
	digits, end, marks := 0, i, 0
	for j := i; j < len(text) && marks <= 2; j++ {
		switch {
		case isDigit(text[j]):
			digits, marks, end = digits+1, 0, j+1
		case j == i || strings.ContainsRune(" -./()", text[j]):
			marks++
		default:
			marks = 3
		}
	}
	if digits < minPhone {
		return 0
	}
	return end - i
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

// isWord reports whether a rune is part of a word or number.
func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || r == '_'
}

func inWord(text []rune, i int) bool { return i >= 0 && i < len(text) && isWord(text[i]) }

// foldRune makes the cases of a letter equal, rune by rune, so that lengths stay.
func foldRune(r rune) rune {
	if r < 0x80 {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	return unicode.ToLower(unicode.ToUpper(r))
}

func fold(text []rune) []rune {
	for i := range text {
		text[i] = foldRune(text[i])
	}
	return text
}

// equalFolded compares text with what is folded already.
func equalFolded(text, folded []rune) bool {
	for i, r := range folded {
		if foldRune(text[i]) != r {
			return false
		}
	}
	return true
}

// asciiJSON escapes s for a JSON string as encoders do that write ASCII only.
func asciiJSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case ' ' <= r && r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b.WriteString(unicodeEscape(high) + unicodeEscape(low))
		default:
			b.WriteString(unicodeEscape(r))
		}
	}
	return b.String()
}

func unicodeEscape(r rune) string {
	hex := strconv.FormatInt(int64(r), 16)
	return `\u` + "0000"[len(hex):] + hex
}
