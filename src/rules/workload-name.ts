import { servicesSelecting } from '../mesh/gaps/affected.ts'
import { own } from '../mesh/names/own.ts'
import { hygieneRule } from './hygiene-rule.ts'
import { subsetsOf, versionKeys } from './releases.ts'

export const workloadName = hygieneRule({
  id: 'workload-name',
  on: ['Deployment'],
  summary: 'the name of a versioned Deployment does not say its version',
  description:
    'Two versions of an app run side by side during a release, each as a Deployment of its own. A name that says the version keeps a person from deleting or ' +
    'overwriting the wrong one: helloworld-v1, helloworld-v2.',
  remedy: 'Put the value of the version label into the name.',
  find: ({ operation, after, snapshotAfter, labelKeys, nameOf }) => {
    if (operation !== 'CREATE' || after === null) return []
    const { templateLabels: labels, namespace, name } = after
    const services = servicesSelecting(snapshotAfter, namespace, labels).filter((service) => subsetsOf(snapshotAfter, service).length > 0)
    const [service] = services
    if (service === undefined) return []
    const version = versionKeys(snapshotAfter, service, labelKeys).flatMap((key) => own(labels, key) ?? [])[0]
    if (version === undefined || name.includes(version)) return []
    return [
      {
        path: ['metadata', 'name'],
        message: `the name of ${nameOf(after)} does not say its version "${version}"`,
        remedy: `Name it ${name}-${version}`
      }
    ]
  }
})
