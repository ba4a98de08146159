// What a dry run says would become of letters, in words.
import { count } from "./words.js";

const words = {
  send: { name: "would be sent", look: "good" },
  delete: { name: "would be deleted there", look: "good" },
  unchanged: { name: "the provider has just this", look: "off" },
  filter: { name: "no longer admitted by shops or when", look: "off" },
  refuse: { name: "still invalid", look: "stop" },
  superseded: { name: "a newer version is on its way", look: "off" },
  nothing: { name: "no event is kept", look: "wait" },
  discard: { name: "would be discarded", look: "wait" },
  restore: { name: "would be opened again", look: "good" },
  gone: { name: "the event is not kept any more", look: "wait" },
  moved: { name: "got another end meanwhile", look: "off" },
};

export const wouldName = (w) => words[w]?.name ?? w;
export const wouldLook = (w) => words[w]?.look ?? "off";

// wouldCounts lists how many of each, the good news first.
export function wouldCounts(would = {}) {
  const order = Object.keys(words);
  return Object.entries(would).filter(([, n]) => n).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    .map(([w, n]) => ({ word: w, n: count(n), name: wouldName(w), look: wouldLook(w) }));
}
