/** Ranges of IP addresses. */

/** How many bits of the address the subnet names, `10.0.0.0/16`, or an address alone; null where it does not hold it, or one of the two is none. */
export function prefixOver(subnet: string, address: string): number | null {
  const [base = '', length] = subnet.split('/')
  const [own, asked] = [bitsOf(base), bitsOf(address)]
  if (own === null || asked === null || own.length !== asked.length) return null
  const named = length === undefined ? own.length : Number(length)
  return own.slice(0, named) === asked.slice(0, named) ? named : null
}

/** In zeros and ones: 32 of them, or 128. */
function bitsOf(address: string): string | null {
  if (/^\d+(\.\d+){3}$/.test(address)) return binary(address.split('.').map(Number), 8)
  if (!/^[\da-f:]+$/i.test(address)) return null
  const [head = '', tail] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: 8 - head.length - (tail?.length ?? 0) }, () => '0')
  const groups = tail === undefined ? [...head] : [...head, ...zeros, ...tail]
  return groups.length === 8
    ? binary(
        groups.map((group) => Number.parseInt(group, 16)),
        16
      )
    : null
}

function binary(parts: readonly number[], width: number): string {
  return parts.map((part) => part.toString(2).padStart(width, '0')).join('')
}
