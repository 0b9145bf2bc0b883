package main

import (
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress is a bar on stderr; the nil progress shows nothing.
type progress struct {
	pool *mpb.Progress
	bar  *mpb.Bar
	last time.Time
}

// progress starts a bar if stderr is a terminal and nobody asked for silence.
func (a *app) progress(title string, total int) *progress {
	if a.quiet || a.noProgress || !isTerminal(a.stderr) {
		return nil
	}
	pool := mpb.New(mpb.WithOutput(a.stderr), mpb.WithWidth(40))
	bar := pool.AddBar(int64(total),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(title+" "), decor.CountersNoUnit("%d/%d ")),
		mpb.AppendDecorators(decor.AverageETA(decor.ET_STYLE_GO)))
	return &progress{pool: pool, bar: bar}
}

// set moves the bar; it is cheap enough to be called for every sample.
func (p *progress) set(done int) {
	if p == nil || time.Since(p.last) < 50*time.Millisecond {
		return
	}
	p.last = time.Now()
	p.bar.SetCurrent(int64(done))
}

// finish takes the bar away.
func (p *progress) finish() {
	if p == nil {
		return
	}
	p.bar.Abort(true)
	p.pool.Wait()
}
