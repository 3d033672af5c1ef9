// Properties that only our own parts know, which get short names: the same in every
// part. A name that the protocol, the platform, an export or a stored value has,
// too, must not be here. Names of the platform that no code of ours uses may be.
export const ours =
  `problem retryAfterMs serverClock timeoutMs heartbeat sendLastHeartbeat elapsed wall jumped onResult
  clock intervalMs phase returnUrl sessionId api heartbeatMs remaining perform timeLeft doc parts dialog
  strings said words el chip formatClock context nearDeadline warningTitle advice price moreTime press endButton
  shown row heading clockView newKey offer endsAt keepGoing panelTitle confirmTitle confirmText saving pausedTitle
  pausedText endedTitle redirecting goNow closeTab insufficient consent consentLink lostAnswer failed beforeEnd
  button caller draw move saving post change leave sleep css channel onReplaced
  restore actions emit trackEvent eventQueue actionsPanel endpoint flush take drop put update store
  isCovered isOverControl onAttach onOpened raise notes setNotes addStyles dismiss own ownName ownText supportLink sample lost unused wake element input`
    .split(/\s+/)
    .filter(Boolean);

/** Those that are part of the package's own API, too. */
export const open = "timeoutMs sessionId returnUrl endpoint actions failed words price".split(" ");

/** Those that are open in the package, and not in what the gate serves. */
export const closed = ["connected", "subscribe", "root", "show", "options"];

export const only = (names) => new RegExp(`^(${names.join("|")})$`);
