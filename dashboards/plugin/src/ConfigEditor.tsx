import { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { FieldSet, InlineField, InlineSwitch, Input, SecretInput, SecretTextArea, Select } from '@grafana/ui';
import React from 'react';

import { Auth, PlannerSecrets, PlannerSettings } from './types';

type Props = DataSourcePluginOptionsEditorProps<PlannerSettings, PlannerSecrets>;
type Keystone = NonNullable<PlannerSettings['keystone']>;

const labelWidth = 26;
const width = 48;

const ways: Array<{ value: Auth; label: string; description: string }> = [
  { value: 'none', label: 'None', description: 'The planner asks nobody who they are' },
  { value: 'basic', label: 'User and password', description: 'A user of access.users in mcloud.yaml' },
  { value: 'bearer', label: 'Token', description: 'A token of access.tokens in mcloud.yaml' },
  { value: 'keystone', label: 'Keystone', description: 'Tokens of Keystone, renewed before they expire' },
];

export function ConfigEditor({ options, onOptionsChange }: Props) {
  const { jsonData } = options;
  const auth: Auth = jsonData.auth ?? (options.basicAuth ? 'basic' : 'none');
  const setJSON = (change: Partial<PlannerSettings>) => onOptionsChange({ ...options, jsonData: { ...jsonData, ...change } });

  return (
    <>
      <FieldSet label="Planner">
        <InlineField label="URL" labelWidth={labelWidth} tooltip="Of mCloud's planner, not of the collector; Grafana's server asks it, not the browser">
          <Input id="url" width={width} placeholder="http://planner:9197" value={options.url ?? ''} onChange={(e) => onOptionsChange({ ...options, url: e.currentTarget.value })} />
        </InlineField>
        <InlineField label="Timeout" labelWidth={labelWidth} tooltip="Seconds that an answer may take, 1 to 300">
          <Input
            id="timeout"
            type="number"
            min={1}
            max={300}
            width={16}
            suffix="s"
            placeholder="30"
            value={jsonData.timeoutSeconds ?? ''}
            onChange={(e) => setJSON({ timeoutSeconds: e.currentTarget.value === '' ? undefined : Number(e.currentTarget.value) })}
          />
        </InlineField>
      </FieldSet>
      <FieldSet label="TLS">
        <InlineField label="Own CA" labelWidth={labelWidth} tooltip="The planner's certificate is of a CA that Grafana's machine does not know">
          <InlineSwitch id="own-ca" value={jsonData.tlsAuthWithCACert ?? false} onChange={(e) => setJSON({ tlsAuthWithCACert: e.currentTarget.checked })} />
        </InlineField>
        {jsonData.tlsAuthWithCACert && <Secret {...{ options, onOptionsChange }} name="tlsCACert" label="CA certificate" long />}
        <InlineField label="Skip verification" labelWidth={labelWidth} tooltip="Takes any certificate: who sits in between reads and changes everything">
          <InlineSwitch id="skip-verify" value={jsonData.tlsSkipVerify ?? false} onChange={(e) => setJSON({ tlsSkipVerify: e.currentTarget.checked })} />
        </InlineField>
      </FieldSet>
      <FieldSet label="Authentication">
        <InlineField label="Method" labelWidth={labelWidth} tooltip="How the planner knows who asks">
          <Select
            inputId="auth"
            width={width}
            options={ways}
            value={auth}
            onChange={(chosen) => onOptionsChange({ ...options, basicAuth: chosen.value === 'basic', jsonData: { ...jsonData, auth: chosen.value } })}
          />
        </InlineField>
        {auth === 'basic' && (
          <>
            <InlineField label="User" labelWidth={labelWidth}>
              <Input id="user" width={width} value={options.basicAuthUser ?? ''} onChange={(e) => onOptionsChange({ ...options, basicAuthUser: e.currentTarget.value })} />
            </InlineField>
            <Secret {...{ options, onOptionsChange }} name="basicAuthPassword" label="Password" />
          </>
        )}
        {auth === 'bearer' && <Secret {...{ options, onOptionsChange }} name="bearerToken" label="Token" />}
        {auth === 'keystone' && <KeystoneFields {...{ options, onOptionsChange }} />}
      </FieldSet>
    </>
  );
}

function KeystoneFields({ options, onOptionsChange }: Props) {
  const keystone = options.jsonData.keystone ?? {};
  const set = (change: Partial<Keystone>) => onOptionsChange({ ...options, jsonData: { ...options.jsonData, keystone: { ...keystone, ...change } } });
  const text = (name: 'url' | 'user' | 'userDomain' | 'project' | 'projectDomain' | 'applicationCredentialId', label: string, placeholder = '') => (
    <InlineField label={label} labelWidth={labelWidth}>
      <Input id={'keystone-' + name} width={width} placeholder={placeholder} value={keystone[name] ?? ''} onChange={(e) => set({ [name]: e.currentTarget.value })} />
    </InlineField>
  );
  const method = keystone.method ?? 'password';
  return (
    <>
      {text('url', 'Keystone', 'https://keystone:5000/v3')}
      <InlineField label="Credentials" labelWidth={labelWidth}>
        <Select
          inputId="keystone-method"
          width={width}
          options={[
            { value: 'password' as const, label: 'User and password' },
            { value: 'application_credential' as const, label: 'Application credential' },
          ]}
          value={method}
          onChange={(chosen) => set({ method: chosen.value })}
        />
      </InlineField>
      {method === 'password' ? (
        <>
          {text('user', 'User')}
          {text('userDomain', "User's domain", 'Default')}
          <Secret {...{ options, onOptionsChange }} name="keystonePassword" label="Password" />
          <InlineField label="The whole system" labelWidth={labelWidth} tooltip="A token for the system, not for a project: its readers see the whole cloud">
            <InlineSwitch id="keystone-system" value={keystone.system ?? false} onChange={(e) => set({ system: e.currentTarget.checked })} />
          </InlineField>
          {!keystone.system && (
            <>
              {text('project', 'Project')}
              {text('projectDomain', "Project's domain", keystone.userDomain || 'Default')}
            </>
          )}
        </>
      ) : (
        <>
          {text('applicationCredentialId', 'Id')}
          <Secret {...{ options, onOptionsChange }} name="applicationCredentialSecret" label="Secret" />
        </>
      )}
    </>
  );
}

// Secret is a field whose value is never shown again: it can be set anew after a reset.
function Secret({ options, onOptionsChange, name, label, long }: Props & { name: keyof PlannerSecrets; label: string; long?: boolean }) {
  const set = (value: string, configured: boolean) =>
    onOptionsChange({
      ...options,
      secureJsonFields: { ...options.secureJsonFields, [name]: configured },
      secureJsonData: { ...options.secureJsonData, [name]: value },
    });
  const common = {
    id: name,
    isConfigured: options.secureJsonFields?.[name] === true,
    value: options.secureJsonData?.[name] ?? '',
    onReset: () => set('', false),
  };
  return (
    <InlineField label={label} labelWidth={labelWidth} tooltip="Grafana keeps it encrypted">
      {long ? (
        <SecretTextArea {...common} rows={6} cols={width} placeholder="-----BEGIN CERTIFICATE-----" onChange={(e) => set(e.currentTarget.value, false)} />
      ) : (
        <SecretInput {...common} width={width} onChange={(e) => set(e.currentTarget.value, false)} />
      )}
    </InlineField>
  );
}
