package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// usageError is a wrong command line: exit code 2.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() + "; " + e.hint }
func (e *usageError) Unwrap() error { return e.err }

func usagef(hint, format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...), hint}
}

// hinted is a failure with advice.
type hinted struct {
	err  error
	hint string
}

func (e *hinted) Error() string { return e.err.Error() + "; " + e.hint }
func (e *hinted) Unwrap() error { return e.err }

// in says which file a failure is about, once.
func in(name string, err error) error {
	if err == nil {
		return nil
	}
	var p *fs.PathError
	if errors.As(err, &p) && p.Path == name {
		if err == error(p) {
			return fmt.Errorf("%s: %w", name, p.Err)
		}
		return err
	}
	if text := err.Error(); strings.HasPrefix(text, name+": ") || strings.Contains(text, ": "+name+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// report prints a failure, one line a problem, and returns the exit code.
func (a *app) report(ctx context.Context, err error) int {
	if err == nil {
		return exitDone
	}
	prefix := "litequant: "
	if a.colored(a.stderr) {
		prefix = "\x1b[1;31mlitequant:\x1b[0m "
	}
	if ctx.Err() != nil {
		fmt.Fprintln(a.stderr, prefix+"interrupted")
		return exitFailed
	}
	for _, line := range problems(err) {
		fmt.Fprintln(a.stderr, prefix+line)
	}
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// problems returns a line for each problem of err. Joined errors may lie under
// others that say where they happened: what those say goes around each line.
func problems(err error) []string {
	text := message(err)
	children := joined(err)
	if len(children) == 0 {
		return []string{oneLine(text)}
	}
	parts := make([]string, len(children))
	for i, c := range children {
		parts[i] = c.Error()
	}
	before, after, _ := strings.Cut(text, strings.Join(parts, "\n"))
	var lines []string
	for _, c := range children {
		for _, line := range problems(c) {
			lines = append(lines, oneLine(before+line+after))
		}
	}
	return lines
}

// joined returns what the first errors.Join on the way down holds.
func joined(err error) []error {
	for err != nil {
		if j, ok := err.(interface{ Unwrap() []error }); ok {
			children := j.Unwrap()
			parts := make([]string, len(children))
			for i, c := range children {
				parts[i] = c.Error()
			}
			if err.Error() == strings.Join(parts, "\n") {
				return children
			}
			return nil // fmt.Errorf with several %w: one problem
		}
		err = errors.Unwrap(err)
	}
	return nil
}

// message is an error's text in the project's form: a path error names the file
// first, without the system call.
func message(err error) string {
	text := err.Error()
	var p *fs.PathError
	if errors.As(err, &p) {
		text = strings.Replace(text, p.Error(), p.Path+": "+p.Err.Error(), 1)
	}
	return text
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
