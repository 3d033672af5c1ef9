"use client";
import { useState } from "react";

/** Counts only once React has taken the page over. */
export function Counter() {
  const [count, setCount] = useState(0);
  return (
    <button type="button" onClick={() => setCount(count + 1)}>
      counted {count}
    </button>
  );
}
