package limits_test

import (
	"fmt"
	"testing"

	"github.com/sessiongate/sessiongate/internal/limits"
)

func Example() {
	reads, replays := int64(0), int64(limits.Unlimited)
	list := limits.List{
		limits.At(&reads, "reads", 128, "at once", "lists"),
		limits.At(&replays, "replays", 30, "per minute", "replays"),
	}
	for _, x := range list {
		fmt.Println(x.Name, x.Value)
	}
	list.Fill()
	fmt.Println(reads, replays)
	if x, ok := list.Named("reads"); ok {
		x.Set(7)
	}
	fmt.Println(reads)
	fmt.Print(list.Table())
	// Output:
	// reads 128
	// replays -1
	// 128 -1
	// 7
	// | limit | default | unit | of |
	// |---|---|---|---|
	// | `reads` | 128 | at once | lists |
	// | `replays` | 30 | per minute | replays |
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	list := limits.List{limits.At(new(int64), "reads", 1, "", ""), limits.At(new(int64), "replays", 1, "", "")}
	for _, name := range []string{"", "read", "Reads", "reads, replays"} {
		if x, ok := list.Named(name); ok {
			t.Errorf("%q is %+v", name, x)
		}
	}
	if got := list.Names(); got != "reads, replays" {
		t.Errorf("the names are %q", got)
	}
}
