package ledger_test

import (
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/ledger"
)

// Settling a hold of 150 of which 60 were used.
func ExampleSettle() {
	hold := ledger.Hold{ID: "s1", UserID: "user_7", ProviderID: "prov_demo", Amount: 150}
	p, err := ledger.Settle(hold, 60, 90, time.Unix(1_800_000_000, 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range p.Transfers {
		fmt.Println(t.Kind, t.Debit, "→", t.Credit, t.Amount)
	}
	// Output:
	// capture user:user_7:held → provider:prov_demo 60
	// release user:user_7:held → user:user_7:available 90
}
