package edge

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestClockFollowsTheBestSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(Clock)
		asked := time.Now()
		ahead := time.Hour.Milliseconds()
		c.observe(asked, asked.Add(20*time.Millisecond), asked.UnixMilli()+10+ahead)
		off := func() int64 { return c.NowMS() - time.Now().UnixMilli() }
		if got := off(); got < ahead-5 || got > ahead+5 {
			t.Errorf("the clock is %d ms ahead, want %d", got, ahead)
		}
		// A slow answer says less than a quick one.
		c.observe(asked, asked.Add(3*time.Second), asked.UnixMilli()+ahead)
		if got := off(); got < ahead-5 || got > ahead+5 {
			t.Errorf("a slow answer moved the clock to %d ms ahead", got)
		}
		c.observe(asked, asked.Add(time.Millisecond), 0) // no time in the answer
		if got := off(); got < ahead-5 {
			t.Errorf("an answer without time moved the clock to %d ms ahead", got)
		}
	})
}

// A machine that was suspended, or a backend whose clock was set, must not judge
// by the old time for the rest of a minute.
func TestClockFollowsAJumpAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, jump := range []time.Duration{5 * time.Minute, -5 * time.Minute, time.Second} {
			c := new(Clock)
			asked := time.Now().Add(-10 * time.Second)
			c.observe(asked, asked.Add(time.Millisecond), asked.UnixMilli())
			later := asked.Add(9 * time.Second)
			c.observe(later, later.Add(40*time.Millisecond), later.UnixMilli()+20+jump.Milliseconds())
			if off := c.NowMS() - time.Now().UnixMilli() - jump.Milliseconds(); off < -30 || off > 30 {
				t.Errorf("after a jump of %s the clock is %d ms off", jump, off)
			}
		}
	})
}
