/** How istiod numbers its pushes: `<RFC 3339>/<counter>`, in the nonce followed by a UUID (pilot/pkg/xds/discovery.go, `nonce` and `NextVersion`). */

const VERSION = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)\/(\d{1,15})$/
export const UUID_LENGTH = 36

/** istiod's answer has a form that this code does not know: nothing is to be concluded from it. */
export class UnknownForm extends Error {
  override readonly name = 'UnknownForm'
}

/** The counter, which grows by one with each push for as long as the process runs. */
export function pushNumber(version: string): number {
  const counter = VERSION.exec(version)?.[1]
  if (counter === undefined)
    throw new UnknownForm(`istiod numbers its pushes in a way that is not known: ${JSON.stringify(version.slice(0, 60))}`)
  return Number(counter)
}

/** The push in which an answer with this nonce was sent; 0 for none. */
export function pushOfNonce(nonce: string): number {
  return nonce === '' ? 0 : pushNumber(nonce.slice(0, -UUID_LENGTH))
}
