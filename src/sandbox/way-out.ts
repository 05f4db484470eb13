/** What to change in the state to, where no sequence of writes leads to it: a refusal says what to do first, and here nothing can come first. */

const BY_RULE: ReadonlyMap<string, string> = new Map([
  ['missing-fallback', 'give that route object a last route without a match'],
  ['undefined-subset', 'define the subset in the DestinationRule of the state to'],
  ['unknown-destination', 'add what the route leads to, or lead it elsewhere'],
  ['unready-destination', 'add a workload with Pods for that destination, or send the requests elsewhere'],
  ['subset-in-use', 'keep the subset with its labels, and give other Pods a subset of another name'],
  ['workload-in-use', 'keep this workload as it is, and give its new version a name of its own beside it'],
  ['selector-in-use', 'keep the Service as it is, and give other Pods a Service of another name'],
  ['version-in-selector', 'select by the app label alone, and tell versions apart by subsets'],
  ['port-in-use', 'keep the port, and add the new one beside it']
])

export const ADVISED_RULES: readonly string[] = [...BY_RULE.keys()]

const ANY = 'keep what answers these requests now, and add what is to answer them beside it under another name'

/** For the rules that refuse a write that nothing can be written before. */
export function adviceOn(rules: readonly string[]): string {
  const known = [...BY_RULE].flatMap(([rule, advice]) => (rules.includes(rule) ? [advice] : []))
  return known.length === 0 ? ANY : known.join('; ')
}
