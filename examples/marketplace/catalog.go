package marketplace

// App is one product: an app on its provider's own domain.
type App struct {
	// The provider's id at Sessiongate, for example prov_demo.
	ProviderID string
	Name       string
	// Who runs it. Optional.
	Provider string
	// One line, shown under the name.
	Tagline string
	// A short paragraph.
	Description string
	// An SVG for its card, 4 wide by 3 high, which can use no style sheet.
	// Default: the initial on a dial.
	Picture []byte
	// Where the app is, of the same origin as its launch_url: the way back into
	// a running session, and what the pages' policy lets a purchase open.
	// Optional: without it the policy lets it open anything, and the way back
	// is remembered from the launch.
	URL string
	// The times for sale, shortest first. At least one.
	Plans []Plan
	// What users may add from inside the app. Zero: nothing.
	Extension Extension
	Terms     Terms
}

// Plan is a length of time at a price.
type Plan struct {
	Seconds int64
	Tokens  int64
	// What the button says. Default: the time in words.
	Label string
}

// Extension is an offer made at the sale: this much more time for so many
// tokens, at most MaxCount times, without coming back to the marketplace.
type Extension struct {
	AdditionalSeconds int64
	Tokens            int64
	MaxCount          int64
}

// Terms are what the provider agreed with this marketplace, for the pages to
// say before anyone buys. The session service holds sessions to the provider's
// policies; only FromSale is part of each sale.
type Terms struct {
	// The paid time runs from the sale, not from the moment the user is in.
	FromSale bool
	// Who leaves early pays for the seconds used alone.
	Prorated bool
	Pause    Pause
}

// Pause is how often a user may stop the clock, and for how long in all. Zero:
// never.
type Pause struct {
	MaxCount   int64
	MaxSeconds int64
}

// DemoApp sells the sample app: the given time, half of it and three times it,
// and one extension of half the time, taken twice at most.
func DemoApp(providerID string, seconds int64) App {
	half := max(seconds/2, 1)
	return App{
		ProviderID: providerID,
		Name:       "Saltmarsh",
		Provider:   "The Marsh Trust",
		Tagline:    "Field notes from a tidal marsh",
		Description: "Read what the wardens saw this week, write up your own sightings, watch the gauges " +
			"at the sluice second by second, and talk to whoever is on the hide.",
		Picture: picture("saltmarsh"),
		Plans: []Plan{
			{Seconds: half, Tokens: price(half, 2)},
			{Seconds: seconds, Tokens: price(seconds, 2)},
			{Seconds: 3 * seconds, Tokens: reduced(price(3*seconds, 2))},
		},
		Extension: Extension{AdditionalSeconds: half, Tokens: price(half, 2), MaxCount: 2},
		Terms:     Terms{FromSale: true},
	}
}

// RosetteApp sells the drawing board, whose users pay for what they use: so its
// longest time is long.
func RosetteApp(providerID string, seconds int64) App {
	half := max(seconds/2, 1)
	return App{
		ProviderID: providerID,
		Name:       "Rosette",
		Provider:   "Kiln & Petal",
		Tagline:    "Draw a line, get a window",
		Description: "A drawing board that turns every stroke around its center, up to twenty-four times. " +
			"Choose inks, fold it, mirror it, and take the picture home as a PNG.",
		Picture: picture("rosette"),
		Plans: []Plan{
			{Seconds: seconds, Tokens: price(seconds, 3)},
			{Seconds: 3 * seconds, Tokens: reduced(price(3*seconds, 3))},
			{Seconds: 12 * seconds, Tokens: reduced(price(12*seconds, 3))},
		},
		Extension: Extension{AdditionalSeconds: half, Tokens: price(half, 3), MaxCount: 3},
		Terms:     Terms{Prorated: true},
	}
}

// QuadrilleApp sells the puzzles, which one may lay aside: twice, and for three
// times the given time in all.
func QuadrilleApp(providerID string, seconds int64) App {
	half := max(seconds/2, 1)
	return App{
		ProviderID: providerID,
		Name:       "Quadrille",
		Provider:   "Squared Paper Club",
		Tagline:    "Pictures hidden in squared paper",
		Description: "Logic puzzles on a grid: the numbers at its edge say which squares to fill, and a picture " +
			"comes out. No guessing needed, and a hint when you are stuck.",
		Picture: picture("quadrille"),
		Plans: []Plan{
			{Seconds: half, Tokens: price(half, 1)},
			{Seconds: 2 * seconds, Tokens: price(2*seconds, 1)},
			{Seconds: 6 * seconds, Tokens: reduced(price(6*seconds, 1))},
		},
		Extension: Extension{AdditionalSeconds: seconds, Tokens: price(seconds, 1), MaxCount: 2},
		Terms:     Terms{Prorated: true, Pause: Pause{MaxCount: 2, MaxSeconds: 3 * seconds}},
	}
}

// price is so many tokens for each started minute, so that demos of a few
// seconds still cost something.
func price(seconds, perMinute int64) int64 { return perMinute * max((seconds+59)/60, 1) }

// reduced is a tenth off, where a tenth is something.
func reduced(tokens int64) int64 {
	if tokens >= 20 {
		tokens -= tokens / 10
	}
	return tokens
}

// picture is one of the demo's own cards.
func picture(name string) []byte {
	b, _ := files.ReadFile("static/app-" + name + ".svg") // embedded: cannot fail
	return b
}

// term is one line of what a buyer agrees to.
type term struct {
	Kind string // clock, early, pause or more
	Text string
}

// termsOf says in plain words what buying time in an app means.
func termsOf(a App) []term {
	list := []term{{"clock", "The clock starts when you are in"}, {"early", "Leave early, and you pay for the whole time"}}
	if a.Terms.FromSale {
		list[0].Text = "The clock starts when you buy"
	}
	if a.Terms.Prorated {
		list[1].Text = "Leave early, and the time you did not use comes back"
	}
	if a.Terms.FromSale {
		list = append(list, term{"unentered", "Never enter, and you pay all the same"})
	} else {
		list = append(list, term{"unentered", "Never enter, and every token comes back"})
	}
	if p := a.Terms.Pause; p.MaxCount > 0 {
		list = append(list, term{"pause", "Pause " + times(p.MaxCount) + ", for " + duration(p.MaxSeconds) + " in all, at no charge"})
	} else {
		list = append(list, term{"pause", "It cannot be paused"})
	}
	if e := a.Extension; e.MaxCount > 0 {
		list = append(list, term{"more", "Add " + duration(e.AdditionalSeconds) + " for " + tokens(e.Tokens) + " from inside, " + times(e.MaxCount)})
	}
	return list
}

// priced is a plan beside a balance.
type priced struct {
	Plan
	Index  int
	Chosen bool
	// How many tokens are missing to buy it.
	Short int64
	// What is left of the balance after buying it.
	Left int64
	// What it comes to if every extension of the sale is taken, in tokens and
	// seconds.
	MostTokens  int64
	MostSeconds int64
}

// pricedPlans puts plans beside a balance. The one wanted is chosen, whether it
// can be paid or not; a wanted of -1 leaves it to us: the middle one, or a
// shorter one that the balance buys.
func pricedPlans(plans []Plan, e Extension, balance *Balance, wanted int) []priced {
	list := make([]priced, len(plans))
	for i, p := range plans {
		list[i] = priced{Plan: p, Index: i, MostTokens: p.Tokens + e.MaxCount*e.Tokens, MostSeconds: p.Seconds + e.MaxCount*e.AdditionalSeconds}
		if balance != nil {
			list[i].Left = max(balance.Available-p.Tokens, 0)
			list[i].Short = max(p.Tokens-balance.Available, 0)
		}
	}
	if wanted < 0 || wanted >= len(list) {
		for wanted = min(1, len(list)-1); wanted > 0 && list[wanted].Short > 0; {
			wanted--
		}
	}
	list[wanted].Chosen = true
	return list
}

// cheapest is what is missing for the cheapest of the plans: 0 when the balance
// buys one.
func cheapest(list []priced) int64 {
	short := list[0].Short
	for _, p := range list {
		short = min(short, p.Short)
	}
	return short
}
