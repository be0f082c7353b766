import { Format, NamesOf, PlannerQuery, QueryType } from './types';

export interface Option<T extends string = string> {
  label: string;
  value: T;
  description?: string;
}

// A field of a query in the editor. All are texts to the eye, where `of` is set with
// names from the planner to choose from, where `options` is set with a fixed list.
export interface Field {
  name: 'by' | 'class' | 'tier' | 'zone' | 'series' | 'limit' | 'horizon' | 'flavor' | 'plan' | 'project' | 'group' | 'sources' | 'kinds' | 'resource';
  label: string;
  tooltip: string;
  placeholder?: string;
  of?: NamesOf;
  several?: boolean;
  options?: Option[];
}

const names: Array<Field['name']> = ['by', 'class', 'tier', 'zone', 'series', 'limit', 'horizon', 'flavor', 'plan', 'project', 'group', 'sources', 'kinds', 'resource'];

export interface Kind extends Option<QueryType> {
  formats: Format[];
  values: (query: PlannerQuery) => string[];
  fields: (query: PlannerQuery) => Field[];
}

const tier: Field = { name: 'tier', label: 'Tier', tooltip: 'Storage tiers; none: all', of: 'tiers', several: true };
const zone: Field = { name: 'zone', label: 'Zone', tooltip: 'Availability zones; none: all', of: 'zones', several: true };
const resourceClass: Field = { name: 'class', label: 'Resource class', tooltip: "Placement's, for example VCPU; none: all", of: 'classes' };
const project: Field = { name: 'project', label: 'Project', tooltip: 'Name or id; none: all that may be seen', of: 'projects' };

export const formats: Record<Format, Option<Format>> = {
  table: { value: 'table', label: 'Table' },
  time_series: { value: 'time_series', label: 'Time series' },
  number: { value: 'number', label: 'Number', description: 'One number for each row: what alert rules take' },
};

// Which fields a type of query has, and what it can be answered as. backend/query.go has
// the same lists, and a test compares them.
export const kinds: Kind[] = [
  {
    value: 'capacity',
    label: 'Capacity',
    description: 'What hosts and storage tiers have, give and use',
    formats: ['table', 'number', 'time_series'],
    values: (query) =>
      query.by === 'tier'
        ? ['used_ratio', 'stored', 'limit', 'full', 'provisioned', 'survivable']
        : ['used_ratio', 'allocated', 'allocatable', 'free', 'limit', 'stranded'],
    fields: (query) => [
      {
        name: 'by',
        label: 'By',
        tooltip: 'Each row is one of these',
        options: ['zone', 'host', 'aggregate', 'cell', 'cloud', 'tier'].map((value) => ({ value, label: value })),
      },
      ...(query.by === 'tier' ? [tier] : [zone, resourceClass]),
    ],
  },
  {
    value: 'forecast',
    label: 'Forecast',
    description: 'What will be: P10, P50, P90 and the limit, or the dates at which things run out',
    formats: ['time_series', 'table', 'number'],
    values: () => ['days_p10', 'days_p50', 'days_p90', 'days_order_by', 'probability', 'used_ratio'],
    fields: (query) => [
      { ...tier, tooltip: 'One of tier, zone and series; dates are also given of all' },
      zone,
      ...(query.zone ? [resourceClass] : []),
      { name: 'series', label: 'Series', tooltip: 'A PromQL expression', placeholder: 'sum(ceph_cluster_total_used_bytes)' },
      ...(query.series ? [{ name: 'limit', label: 'Limit', tooltip: 'When does the series reach this', placeholder: '1e15' } as Field] : []),
      { name: 'horizon', label: 'Horizon', tooltip: 'How far to look; by default as far as the panel shows', placeholder: '90d' },
    ],
  },
  {
    value: 'headroom',
    label: 'Headroom',
    description: 'How many more servers of each flavor fit',
    formats: ['table', 'number'],
    values: () => ['servers', 'hosts', 'largest'],
    fields: () => [{ name: 'flavor', label: 'Flavor', tooltip: 'None: all', of: 'flavors', several: true }, zone],
  },
  {
    value: 'plans',
    label: 'Rebalance plans',
    description: 'Plans and how far they came, or the steps of one',
    formats: ['table', 'number'],
    values: () => ['plans'],
    fields: () => [{ name: 'plan', label: 'Plan', tooltip: 'Its steps are listed; none: all plans', of: 'plans' }],
  },
  {
    value: 'usage',
    label: 'Usage',
    description: 'What projects used, and what it costs',
    formats: ['table', 'number', 'time_series'],
    values: () => ['cost', 'unit_hours'],
    fields: (query) => [
      project,
      ...(query.format === 'time_series'
        ? [{ name: 'group', label: 'Series by', tooltip: 'Meters are always told apart', options: ['project', 'sku', 'meter'].map((value) => ({ value, label: value })) } as Field]
        : []),
    ],
  },
  {
    value: 'events',
    label: 'Events',
    description: 'What happened, when things run out or are to be ordered, and maintenance: also as annotations',
    formats: ['table'],
    values: () => [],
    fields: (query) =>
      (query.show ?? ['events']).includes('events')
        ? [
            { name: 'sources', label: 'Sources', tooltip: 'With commas between them; none: all', placeholder: 'nova, ceph/fast' },
            { name: 'kinds', label: 'Kinds', tooltip: 'With commas between them; none: all', placeholder: 'instance.create.end' },
            project,
            { name: 'resource', label: 'Object', tooltip: 'Id of the object concerned; none: all' },
          ]
        : [],
  },
];

export const shows: Option[] = [
  { value: 'events', label: 'Events' },
  { value: 'dates', label: 'Dates of the plan', description: 'By when to order, and when things run out' },
  { value: 'maintenance', label: 'Maintenance' },
];

export const severities: Option[] = ['debug', 'info', 'warning', 'error', 'critical'].map((value) => ({ value, label: value }));

export const kindOf = (query: PlannerQuery): Kind => kinds.find((k) => k.value === query.queryType) ?? kinds[0];

// retyped keeps of a query what the other type has a field for, so that nothing that is
// not seen has an effect.
export function retyped(query: PlannerQuery, queryType: QueryType): PlannerQuery {
  const kind = kinds.find((k) => k.value === queryType)!;
  const next: PlannerQuery = { refId: query.refId, queryType, format: kind.formats[0] };
  if (query.datasource) {
    next.datasource = query.datasource;
  }
  if (query.hide !== undefined) {
    next.hide = query.hide;
  }
  return kept(query, next);
}

function kept(from: PlannerQuery, to: PlannerQuery): PlannerQuery {
  for (const field of kindOf(to).fields(to)) {
    const value = from[field.name];
    if (value !== undefined && field.name !== 'by') {
      to = { ...to, [field.name]: value };
    }
  }
  return to;
}

// changed sets a field, and drops what the query has no field for any more.
export function changed(query: PlannerQuery, change: Partial<PlannerQuery>): PlannerQuery {
  const next: PlannerQuery = { ...query, ...change };
  const kind = kindOf(next);
  const has = new Set(kind.fields(next).map((field) => field.name));
  for (const name of names) {
    if (!has.has(name)) {
      delete next[name];
    }
  }
  if (next.value !== undefined && (next.format !== 'number' || !kind.values(next).includes(next.value))) {
    delete next.value;
  }
  if (kind.value !== 'events' || !(next.show ?? ['events']).includes('events')) {
    delete next.severities;
    delete next.maxEvents;
  }
  for (const key of Object.keys(next) as Array<keyof PlannerQuery>) {
    if (next[key] === '' || next[key] === undefined) {
      delete next[key];
    }
  }
  return next;
}
