package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// table prints rows under a title; columns whose header starts with > hold
// numbers and are aligned to the right.
func (a *app) table(title string, header []string, rows [][]any) {
	t := table.NewWriter()
	t.SetOutputMirror(a.stdout)
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	if a.colored(a.stdout) {
		text.EnableColors()
		style.Color.Header = text.Colors{text.Faint}
		title = text.Bold.Sprint(title)
	} else {
		text.DisableColors()
	}
	t.SetStyle(style)
	if title != "" {
		fmt.Fprintln(a.stdout, title)
	}
	names, configs := table.Row{}, []table.ColumnConfig{}
	for i, h := range header {
		c := table.ColumnConfig{Number: i + 1}
		if name, ok := strings.CutPrefix(h, ">"); ok {
			h, c.Align, c.AlignHeader = name, text.AlignRight, text.AlignRight
		}
		names, configs = append(names, h), append(configs, c)
	}
	t.AppendHeader(names)
	t.SetColumnConfigs(configs)
	for _, r := range rows {
		t.AppendRow(table.Row(r))
	}
	t.SuppressTrailingSpaces()
	t.Render()
}

// json prints v to stdout.
func (a *app) json(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// number and number32 are floats in JSON: the shortest decimals that read back
// to the same value; what JSON cannot say is a string.
type (
	number   float64
	number32 float32
)

func (n number) MarshalJSON() ([]byte, error)   { return jsonFloat(float64(n), 64) }
func (n number32) MarshalJSON() ([]byte, error) { return jsonFloat(float64(n), 32) }

func jsonFloat(v float64, bits int) ([]byte, error) {
	switch {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Infinity"`), nil
	}
	return strconv.AppendFloat(nil, v, 'g', -1, bits), nil
}

// grouped prints an integer with separators: 13,102,324.
func grouped[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// micros is a duration in microseconds, rounded to nanoseconds.
func micros(d time.Duration) number { return number(float64(d.Nanoseconds()) / 1e3) }

// percent prints a share.
func percent(share float64, digits int) string {
	return strconv.FormatFloat(100*share, 'f', digits, 64) + " %"
}
