package session_test

import (
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
)

// A user buys a minute for 100 tokens and leaves after 15 seconds.
func ExampleApply() {
	bought := time.Unix(1_800_000_000, 0)
	created, err := session.New(session.Order{
		ID: "s1", UserID: "user_7", ProviderID: "prov_demo", Tokens: 100, Duration: 60,
		Terms: session.Terms{Settlement: session.Prorated},
	}, bought)
	if err != nil {
		fmt.Println(err)
		return
	}
	ended, err := session.Apply(created.Session, session.Complete{By: session.User}, bought.Add(15*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ended.Session.Status, ended.Settlement.Captured, ended.Settlement.Released)
	// Output: completed 25 75
}
