/** What a map that strangers wrote has under a name; undefined where nothing is. Of `constructor` or `__proto__` too: what every object inherits is no answer. */
export function own<V>(map: Readonly<Record<string, V>>, name: string): V | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined
}
