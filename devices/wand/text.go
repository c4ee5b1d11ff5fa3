package wand

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"gengfu/facility"
)

// text returns the dump as UTF-8. What has no mark and is no UTF-8 is GBK, in which
// the software of wands writes on a Chinese Windows.
func text(dump []byte) (string, error) {
	var from encoding.Encoding
	switch {
	case bytes.HasPrefix(dump, []byte("\xEF\xBB\xBF")):
		dump = dump[3:]
	case bytes.HasPrefix(dump, []byte("\xFF\xFE")), bytes.HasPrefix(dump, []byte("\xFE\xFF")):
		from = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case !utf8.Valid(dump):
		from = simplifiedchinese.GB18030
	}
	if from != nil {
		var err error
		if dump, err = from.NewDecoder().Bytes(dump); err != nil {
			return "", noText
		}
	}
	if !utf8.Valid(dump) || bytes.IndexByte(dump, 0) >= 0 || bytes.ContainsRune(dump, utf8.RuneError) {
		return "", noText
	}
	return string(dump), nil
}

var noText = &facility.DumpError{
	What: say("文件不是 UTF-8 或 GBK 文本。", "The file is no text in UTF-8 or GBK."),
	Cure: say("请从巡更软件导出 CSV；Excel 工作簿请另存为 CSV。", "Export it as CSV; save an Excel workbook as CSV."),
}

// layouts are how times are written when what is around their numbers is made the
// same, see plain.
var layouts = []string{
	"2006-1-2 15:4:5", "2006-1-2 15:4", "2006-1-2 15:4:5.999999999",
	"20060102 15:4:5", "20060102 150405", "20060102150405", "20060102 15:4",
}

// parseTime reads a local time of the zone, or one that says its own. The layout is
// as YYYY-MM-DD hh:mm:ss, or as package time writes it; empty is any usual one with
// the year first.
func parseTime(s, layout string, zone *time.Location) (time.Time, error) {
	s = strings.Join(strings.Fields(s), " ")
	if layout != "" {
		t, err := time.ParseInLocation(twoDigits.Replace(layout), s, zone)
		if err != nil {
			t, err = time.ParseInLocation(anyDigits.Replace(layout), s, zone)
		}
		return t, err
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	s = plain(s)
	var t time.Time
	var err error
	for _, l := range layouts {
		if t, err = time.ParseInLocation(l, s, zone); err == nil {
			return t, nil
		}
	}
	return t, err
}

// plain writes 2026年11月22日8时15分00秒 and 2026/11/22T8:15:00 as
// 2026-11-22 8:15:00.
func plain(s string) string {
	s = strings.NewReplacer("年", "-", "月", "-", "日", " ", "时", ":", "点", ":", "分", ":", "秒", "", "：", ":", "T", " ").Replace(s)
	date, clock, _ := strings.Cut(s, " ")
	date = strings.NewReplacer("/", "-", ".", "-").Replace(date)
	return strings.TrimSpace(date + " " + strings.TrimSuffix(strings.TrimSpace(clock), ":"))
}

// A layout in letters as package time wants it: with zeros at the front, as in
// 20261122, or without.
var (
	twoDigits = strings.NewReplacer(
		"YYYY", "2006", "yyyy", "2006", "YY", "06", "MM", "01", "DD", "02", "dd", "02", "HH", "15", "hh", "15", "mm", "04", "ss", "05")
	anyDigits = strings.NewReplacer(
		"YYYY", "2006", "yyyy", "2006", "YY", "06", "MM", "1", "DD", "2", "dd", "2", "HH", "15", "hh", "15", "mm", "4", "ss", "5")
)
