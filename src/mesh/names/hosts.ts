/** Host names as Istio reads them (docs/istio-semantics.md, section 1). */

/** The cluster's DNS domain; `AS_WRITTEN` where names are wanted as their author wrote them. */
export type Domain = string | null
export const AS_WRITTEN = null
export const DEFAULT_DOMAIN = 'cluster.local'

/**
 * Completes a host that has no dot with the namespace of the object it stands in (1.1). A host with a dot, `*` or an address is taken
 * literally (1.2, 1.4). `ResolveShortnameToFQDN`, pilot/pkg/model/config.go.
 */
export function resolveHost(host: string, namespace: string, domain: Domain): string {
  if (domain === AS_WRITTEN || host === '' || host === '*' || host.includes('.') || host.includes(':')) return host
  return `${host}.${namespace}.svc.${domain}`
}

/** VirtualService hosts alone are lower-cased before they are looked up (1.5). */
export function resolveVirtualServiceHost(host: string, namespace: string, domain: Domain): string {
  return domain === AS_WRITTEN ? host : resolveHost(host, namespace, domain).toLowerCase()
}

/** A Gateway's name in a VirtualService as `namespace/name`, or `mesh` (1.6). `resolveGatewayName`, pilot/pkg/model/config.go. */
export function resolveGateway(name: string, namespace: string, domain: Domain): string {
  if (domain === AS_WRITTEN || name === 'mesh') return name
  if (name.includes('/')) return name.startsWith('./') ? `${namespace}/${name.slice(2)}` : name
  const [gateway, ofNamespace] = name.split('.')
  return ofNamespace === undefined ? `${namespace}/${name}` : `${ofNamespace}/${gateway}`
}

export function serviceHost(namespace: string, name: string, domain: Domain): string {
  return `${name}.${namespace}.svc.${domain ?? DEFAULT_DOMAIN}`
}

/** The Service that a host is the full name of, or null where it is none. */
export function serviceOfHost(host: string, domain: string): { namespace: string; name: string } | null {
  const suffix = `.svc.${domain}`
  if (!host.endsWith(suffix)) return null
  const end = host.length - suffix.length
  const dot = host.indexOf('.')
  // A name, one dot, a namespace: no more and no less.
  if (dot >= end || host.lastIndexOf('.', end - 1) !== dot) return null
  return { namespace: host.slice(dot + 1, end), name: host.slice(0, dot) }
}

export function isWildcard(host: string): boolean {
  return host.startsWith('*')
}

/** `pattern`, which may start with `*`, covers the name `host` (which may be a wildcard itself). Host.SubsetOf, pkg/config/host/name.go. */
export function hostCovers(pattern: string, host: string): boolean {
  if (!isWildcard(pattern)) return pattern === host
  const suffix = pattern.slice(1)
  if (isWildcard(host)) {
    const other = host.slice(1)
    return other.length >= suffix.length && other.endsWith(suffix)
  }
  return host.length >= suffix.length && host.endsWith(suffix)
}

/** One of the two names covers the other. Host.Matches, pkg/config/host/name.go. */
export function hostsOverlap(one: string, other: string): boolean {
  return hostCovers(one, other) || hostCovers(other, one)
}

/**
 * The key of a host in an index: the host itself, but of a wildcard within a label, `*-canary.b.c`, the wildcard over that label, `*.b.c`. So
 * that whatever can cover a host stands under it or one of its `wildcardsOver`; what is found there must still be asked `hostCovers`.
 */
export function hostKey(host: string): string {
  if (!isWildcard(host) || host[1] === '.') return host
  const dot = host.indexOf('.')
  return dot === -1 ? '*' : `*${host.slice(dot)}`
}

/** Every wildcard that can cover `host`, from the longest: `*.b.c`, `*.c`, `*`; as keys of an index, see `hostKey`. */
export function wildcardsOver(host: string): readonly string[] {
  if (last.host !== host) last = { host, wildcards: wildcardsOf(host) }
  return last.wildcards
}

/** One decision asks for the wildcards over one host a hundred times. */
let last: { readonly host: string; readonly wildcards: readonly string[] } = { host: '*', wildcards: ['*'] }

/** No name in DNS is longer, and Istio takes none that is. */
const LONGEST_HOST = 255

function wildcardsOf(host: string): string[] {
  // Of a megabyte of dots the wildcards would be a terabyte.
  if (host.length > LONGEST_HOST) return ['*']
  const wildcards: string[] = []
  for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) wildcards.push(`*${host.slice(dot)}`)
  wildcards.push('*')
  return wildcards
}
