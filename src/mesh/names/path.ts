/** Where in a manifest a value stands: `['spec', 'http', 0, 'route', 1]`. `formatPath` writes it as Kubernetes does. */
export type Path = readonly (string | number)[]

/** Keys of others may be a megabyte long; one of Kubernetes' own is of 317 characters at most. */
const LONGEST_STEP = 320

/** `['spec','http',1,'route',0]` -> `spec.http[1].route[0]`. */
export function formatPath(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (step.length > LONGEST_STEP) text += `[${JSON.stringify(`${step.slice(0, LONGEST_STEP)}…`)}]`
    else if (/^[A-Za-z_][\w-]*$/.test(step)) text += text === '' ? step : `.${step}`
    else text += `[${JSON.stringify(step)}]`
  }
  return text
}
