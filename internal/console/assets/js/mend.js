// A correction of a customer's data, field by field: what was typed, and the JSON
// merge patch (RFC 7396) that it makes.

// Fields of a customer, for what is not in the event, and which are no texts.
export const known = [
  "email", "phone", "first_name", "last_name", "middle_name", "full_name", "gender", "birth_date", "company", "job_title", "website",
  "tax_id", "national_id", "note", "group", "type", "account_manager", "locale", "ip", "vip", "registered_at", "total_spent",
  "address.street", "address.building", "address.flat", "address.postcode", "address.city", "address.state", "address.country",
  "consents.email", "consents.sms", "consents.push", "discount.percent", "discount.active", "discount.valid_until", "balance.amount", "balance.currency",
];
const numbers = new Set(["total_spent", "discount.percent", "balance.amount"]);
const flags = new Set(["vip", "consents.email", "consents.sms", "consents.push", "discount.active"]);

// source is the customer's field that a field error is about: as the worker tells
// it, or else one that has nearly the same name; undefined: nobody can tell.
export function source(error) {
  const bare = (name) => name.replaceAll("_", "");
  return error.path ?? known.find((k) => k === error.field) ?? known.find((k) => k.length > 3 && bare(error.field).includes(bare(k)));
}

// flat lists the fields of a customer's data: [path, value]. Lists and what lies
// deeper than one level are values of their own.
export function flat(data) {
  const list = [];
  for (const [k, v] of Object.entries(data ?? {})) {
    if (v && typeof v === "object" && !Array.isArray(v)) for (const [k2, v2] of Object.entries(v)) list.push([`${k}.${k2}`, v2]);
    else list.push([k, v]);
  }
  return list.filter(([path]) => path !== "id" && path !== "version");
}

export const shown = (value) => value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);

export const at = (data, path) => path.split(".").reduce((v, k) => v?.[k], data);

// typed reads what was typed as a value of the field's kind. An empty text takes
// the field out: the provider keeps what it has.
function typed(path, text, before) {
  if (text.trim() === "") return null;
  if (typeof before === "boolean" || flags.has(path)) {
    const yes = text.trim().toLowerCase();
    if (["true", "yes", "1"].includes(yes)) return true;
    if (["false", "no", "0"].includes(yes)) return false;
  }
  if ((typeof before === "number" || numbers.has(path)) && Number.isFinite(Number(text))) return Number(text);
  if (before && typeof before === "object") {
    try { return JSON.parse(text); } catch { /* it stays a text, and the worker says what is wrong with it */ }
  }
  return text;
}

// patch makes the merge patch of changes: {path: text}.
export function patch(changes, data) {
  const made = Object.create(null); // a field may have any name
  for (const [path, text] of Object.entries(changes)) {
    const keys = path.split(".");
    let into = made;
    for (const k of keys.slice(0, -1)) into = into[k] ??= Object.create(null);
    into[keys.at(-1)] = typed(path, text, at(data, path));
  }
  return made;
}
