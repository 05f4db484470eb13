/** What Istio's own webhook refuses wherever it stands (2.4). pkg/config/validation/validation.go. */

/** `~`, to nobody, is for ServiceEntries alone. */
export function* exportRefusals(exportTo: readonly string[], own: string, isServiceEntry: boolean): Iterable<string> {
  const known = new Set<string>()
  for (const written of exportTo) {
    const name = written === '.' ? own : written
    if (known.has(name)) yield `duplicate entries in exportTo for entry ${name}`
    known.add(name)
    if (name === '~') {
      if (!isServiceEntry) yield 'exportTo ~ (none) is not allowed for Istio configuration objects'
    } else if (name !== '*' && !isLabel(name)) yield 'only .,*, or a valid DNS 1123 label is allowed as exportTo entry'
  }
  if (known.has('*') && exportTo.length > 1) yield 'cannot have both public (*) and non-public exportTo values for a resource'
  if (known.has('~') && exportTo.length > 1) yield 'cannot export service entry to no one (~) and someone'
}

export function* gatewayNameRefusals(gateways: readonly string[]): Iterable<string> {
  for (const written of gateways) {
    const [namespace = '', name, ...rest] = written.split('/')
    if (name === undefined) yield* domainRefusals(written)
    else if (rest.length > 0 || !isLabel(name)) yield `invalid value for gateway name: "${written}"`
    else if (namespace !== '.' && !isLabel(namespace)) yield `invalid value for namespace: "${namespace}"`
  }
}

export function* portRefusals(port: number | null): Iterable<string> {
  if (port !== null && (port < 1 || port > 65535)) yield `port number ${port} must be in the range 1..65535`
}

/** `*` stands for the first label, or the start of it. */
export function* wildcardDomainRefusals(domain: string): Iterable<string> {
  const [first = '', ...rest] = domain.split('.')
  if (domain === '') yield 'empty domain name not allowed'
  else if (first !== '*' && !isLabel(first.replace(/^\*-?/, ''))) yield `domain name "${domain}" invalid (label "${first}" invalid)`
  else if (rest.length > 0) yield* domainRefusals(rest.join('.'))
}

/** A dot may stand at the end [e32]; the last label is no number, so that an address is no domain [g29]. */
function* domainRefusals(domain: string): Iterable<string> {
  const labels = (domain.endsWith('.') ? domain.slice(0, -1) : domain).split('.')
  const last = labels.at(-1) ?? ''
  if (domain === '') yield 'empty domain name not allowed'
  else if (domain.length > 255) yield `domain name "${domain}" too long (max 255)`
  else if (/^\d+$/.test(last)) yield `domain name "${domain}" invalid (top level domain "${last}" cannot be all-numeric)`
  for (const label of labels) if (!isLabel(label)) yield `domain name "${domain}" invalid (label "${label}" invalid)`
}

/** Istio's DNS labels may have capitals. pkg/config/labels/instance.go. */
export function isLabel(text: string): boolean {
  return text.length <= 63 && /^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/.test(text)
}

export function isAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) || (text.includes(':') && /^[0-9a-fA-F:.]+$/.test(text))
}
