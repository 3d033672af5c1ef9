/** The time in which a page around ours has gone, if the browser lets us lead it. */
const GONE_MS = 1_000;

/**
 * Leaves for another address. In a frame, the page around it leaves, so that the user is back at
 * the marketplace and not at a second one inside it. Browsers may refuse that without a press;
 * then the frame goes alone.
 */
export function leaveFor(address: string): void {
  const alone = () => location.assign(address);
  try {
    if (window.top && window.top !== window) {
      window.top.location.href = address;
      return void setTimeout(alone, GONE_MS);
    }
  } catch {}
  alone();
}
