/** A signal that knows who listens to it. */
export function counted() {
  const aborter = new AbortController();
  const { signal } = aborter;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  const known = new Set<unknown>();
  signal.addEventListener = (type: string, listener: never, options?: never) => {
    known.add(listener);
    listeners = known.size;
    add(type, listener, options);
  };
  signal.removeEventListener = (type: string, listener: never) => {
    known.delete(listener);
    listeners = known.size;
    remove(type, listener);
  };
  return { signal, abort: (reason?: unknown) => aborter.abort(reason), listeners: () => listeners };
}
