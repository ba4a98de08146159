// Publishes customers over HTTP, with nothing but Node's own fetch (18 or newer).
//
// CUSTSYNC_URL    where publisher serve listens, such as http://127.0.0.1:8090
// CUSTSYNC_TOKEN  the shop's token

import { setTimeout as wait } from 'node:timers/promises'

const customers = process.env.CUSTSYNC_URL + '/v1/shops/acme/customers'

// Sends until the event is stored (202), or is refused for good. To send it again
// is safe: give customers a version, and nothing is done twice.
async function call(method, url, body, kind = 'application/json') {
  for (let attempt = 0; ; attempt++) {
    let seconds = 2 ** attempt
    try {
      const answer = await fetch(url, {
        method,
        body,
        headers: { Authorization: 'Bearer ' + process.env.CUSTSYNC_TOKEN, 'Content-Type': kind },
        signal: AbortSignal.timeout(30_000),
      })
      const text = await answer.text()
      if (answer.ok) return text
      if (![408, 429, 500, 502, 503, 504].includes(answer.status) || attempt === 5) {
        throw Object.assign(new Error(`${answer.status}: ${text}`), { refused: true })
      }
      seconds = Number(answer.headers.get('Retry-After') ?? seconds)
    } catch (err) {
      if (err.refused || attempt === 5) throw err
    }
    await wait(seconds * 1000)
  }
}

export const publish = (customer) => call('POST', customers, JSON.stringify(customer))

// One a line. Returns what was not stored, with the line's number and the reason.
export async function publishMany(list) {
  const lines = list.map((customer) => JSON.stringify(customer) + '\n').join('')
  const answer = await call('POST', customers, lines, 'application/x-ndjson')
  return answer.trim().split('\n').map((line) => JSON.parse(line)).filter((result) => result.status !== 202)
}

export const remove = (id, version) => call('DELETE', `${customers}/${encodeURIComponent(id)}?version=${version}`)

// The whole state. What is left out is left alone, null clears.
console.log(await publish({ id: 'node-1', version: 1, email: 'ada@example.com', phone: null }))
console.log('refused:', await publishMany([
  { id: 'node-2', version: 1, first_name: 'Ольга' },
  { id: 'node-3', version: 1, vip: true },
]))
console.log(await remove('node-3', 2))
