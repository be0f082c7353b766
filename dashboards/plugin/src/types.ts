import { DataQuery, DataSourceJsonData } from '@grafana/data';

// The same words as in backend/query.go, which checks them.
export type QueryType = 'capacity' | 'forecast' | 'headroom' | 'plans' | 'usage' | 'events';
export type Format = 'table' | 'time_series' | 'number';

export interface PlannerQuery extends DataQuery {
  queryType?: QueryType;
  format?: Format;
  value?: string;
  by?: string;
  class?: string;
  tier?: string;
  zone?: string;
  series?: string;
  limit?: string;
  horizon?: string;
  flavor?: string;
  plan?: string;
  project?: string;
  group?: string;
  show?: string[];
  sources?: string;
  kinds?: string;
  severities?: string[];
  resource?: string;
  maxEvents?: number;
}

// What a variable lists; the same words as in backend/resource.go.
export type NamesOf = 'clouds' | 'tiers' | 'zones' | 'classes' | 'hosts' | 'flavors' | 'projects' | 'plans';

export interface Choice {
  text: string;
  value: string;
}

export type Auth = 'none' | 'basic' | 'bearer' | 'keystone';

export interface PlannerSettings extends DataSourceJsonData {
  auth?: Auth;
  timeoutSeconds?: number;
  tlsSkipVerify?: boolean;
  tlsAuthWithCACert?: boolean;
  keystone?: {
    url?: string;
    method?: 'password' | 'application_credential';
    user?: string;
    userDomain?: string;
    project?: string;
    projectDomain?: string;
    system?: boolean;
    applicationCredentialId?: string;
  };
}

// Grafana keeps these encrypted, and never sends them back.
export interface PlannerSecrets {
  basicAuthPassword?: string;
  bearerToken?: string;
  keystonePassword?: string;
  applicationCredentialSecret?: string;
  tlsCACert?: string;
}
