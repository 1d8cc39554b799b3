/** Who is left out where not all can be kept: the largest organizations of the largest tenants. */

/** What an organization takes, and whose it is. */
export interface Held {
  organization: string;
  tenant: string;
  held: number;
}

/** The organizations to leave out, so that the others come to `most` at most. A tenant with less than an equal share keeps all. */
export function beyondShare(all: readonly Held[], most: number): Set<string> {
  const ofTenants = new Map<string, Held[]>();
  for (const one of all) {
    const ofTenant = ofTenants.get(one.tenant);
    if (ofTenant) ofTenant.push(one);
    else ofTenants.set(one.tenant, [one]);
  }
  const share = equalShare([...ofTenants.values()].map(sumOf), most);
  const left = new Set<string>();
  for (const ofTenant of ofTenants.values()) {
    let held = sumOf(ofTenant);
    for (const one of ofTenant.toSorted((a, b) => b.held - a.held)) {
      if (held <= share) break;
      left.add(one.organization);
      held -= one.held;
    }
  }
  return left;
}

/** So much each may have that all come to `most`, when those who need less take only what they need. */
function equalShare(needs: readonly number[], most: number): number {
  let remaining = most;
  for (const [index, need] of needs.toSorted((a, b) => a - b).entries()) {
    const share = remaining / (needs.length - index);
    if (need > share) return share;
    remaining -= need;
  }
  return Number.POSITIVE_INFINITY;
}

const sumOf = (all: readonly Held[]) => all.reduce((sum, { held }) => sum + held, 0);
