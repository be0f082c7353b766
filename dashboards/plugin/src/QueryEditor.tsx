import { QueryEditorProps, SelectableValue } from '@grafana/data';
import { Alert, InlineField, InlineFieldRow, Input, MultiSelect, Select } from '@grafana/ui';
import React, { useEffect, useState } from 'react';

import type { PlannerDataSource } from './datasource';
import { changed, Field, formats, kindOf, kinds, retyped, severities, shows } from './fields';
import { Choice, NamesOf, PlannerQuery, PlannerSettings, QueryType } from './types';

type Props = QueryEditorProps<PlannerDataSource, PlannerQuery, PlannerSettings> & { only?: QueryType };

const labelWidth = 16;

export function QueryEditor({ query, onChange, onRunQuery, datasource, only }: Props) {
  const kind = kindOf(query);
  const format = query.format ?? kind.formats[0];
  const fields = kind.fields({ ...query, format });
  const [names, error] = useNames(datasource, fields);
  const set = (change: Partial<PlannerQuery>, run: boolean) => {
    onChange(changed({ ...query, queryType: kind.value }, change));
    if (run) {
      onRunQuery();
    }
  };
  return (
    <>
      <InlineFieldRow>
        {!only && (
          <InlineField label="Query type" labelWidth={labelWidth} tooltip={kind.description}>
            <Select
              inputId="query-type"
              width={24}
              options={kinds.map(({ value, label, description }) => ({ value, label, description }))}
              value={kind.value}
              onChange={(chosen) => {
                onChange(retyped(query, chosen.value!));
                onRunQuery();
              }}
            />
          </InlineField>
        )}
        {kind.formats.length > 1 && (
          <InlineField label="Format" labelWidth={labelWidth} tooltip="Alert rules take numbers">
            <Select inputId="format" width={20} options={kind.formats.map((f) => formats[f])} value={format} onChange={(chosen) => set({ format: chosen.value }, true)} />
          </InlineField>
        )}
        {format === 'number' && kind.values(query).length > 1 && (
          <InlineField label="Number" labelWidth={labelWidth} tooltip="The number in each row">
            <Select
              inputId="value"
              width={24}
              options={kind.values(query).map((value) => ({ value, label: value }))}
              value={query.value ?? kind.values(query)[0]}
              onChange={(chosen) => set({ value: chosen.value }, true)}
            />
          </InlineField>
        )}
      </InlineFieldRow>
      {kind.value === 'events' && <Shown query={query} set={set} />}
      <InlineFieldRow>
        {fields.map((field) => (
          <InlineField key={field.name} label={field.label} labelWidth={labelWidth} tooltip={field.tooltip}>
            <FieldInput field={field} value={query[field.name] ?? ''} names={field.of ? names[field.of] : undefined} set={set} onRunQuery={onRunQuery} />
          </InlineField>
        ))}
      </InlineFieldRow>
      {error && (
        <Alert severity="warning" title="The planner could not be asked for names to choose from">
          {error}
        </Alert>
      )}
    </>
  );
}

type Set = (change: Partial<PlannerQuery>, run: boolean) => void;

function Shown({ query, set }: { query: PlannerQuery; set: Set }) {
  const shown = query.show ?? ['events'];
  return (
    <InlineFieldRow>
      <InlineField label="Show" labelWidth={labelWidth} tooltip="What happened, what the plan says, where somebody works">
        <MultiSelect inputId="show" width={48} options={shows} value={shown} onChange={(chosen) => set({ show: chosen.map((c) => c.value!) }, true)} />
      </InlineField>
      {shown.includes('events') && (
        <>
          <InlineField label="Severities" labelWidth={labelWidth} tooltip="None: all">
            <MultiSelect
              inputId="severities"
              width={40}
              options={severities}
              value={query.severities ?? []}
              onChange={(chosen) => set({ severities: chosen.length > 0 ? chosen.map((c) => c.value!) : undefined }, true)}
            />
          </InlineField>
          <InlineField label="At most" labelWidth={labelWidth} tooltip="How many events; the first ones are shown when there are more">
            <Input
              id="maxEvents"
              type="number"
              min={1}
              max={10000}
              width={14}
              placeholder="1000"
              value={query.maxEvents ?? ''}
              onChange={(e) => set({ maxEvents: e.currentTarget.value === '' ? undefined : Number(e.currentTarget.value) }, false)}
              onBlur={() => set({}, true)}
            />
          </InlineField>
        </>
      )}
    </InlineFieldRow>
  );
}

interface FieldProps {
  field: Field;
  value: string;
  names?: Choice[];
  set: Set;
  onRunQuery: () => void;
  // InlineField gives its child an id.
  id?: string;
}

function FieldInput({ field, value, names, set, onRunQuery }: FieldProps) {
  if (field.options) {
    return <Select inputId={field.name} width={20} options={field.options} value={value || field.options[0].value} onChange={(chosen) => set({ [field.name]: chosen.value }, true)} />;
  }
  if (!field.of) {
    return (
      <Input id={field.name} width={36} placeholder={field.placeholder} value={value} onChange={(e) => set({ [field.name]: e.currentTarget.value }, false)} onBlur={onRunQuery} />
    );
  }
  // A name that the planner does not have (any more), or a variable, stays and can be written.
  const options: Array<SelectableValue<string>> = (names ?? []).map(({ text, value }) => ({ label: text, value }));
  const known = new Set(options.map((o) => o.value));
  const chosen = field.several ? split(value) : value ? [value] : [];
  for (const name of chosen) {
    if (!known.has(name)) {
      options.push({ label: name, value: name });
    }
  }
  const common = { inputId: field.name, width: 32, options, isLoading: names === undefined, allowCustomValue: true, isClearable: true, placeholder: 'all' };
  if (field.several) {
    return <MultiSelect {...common} value={chosen} onChange={(all) => set({ [field.name]: all.map((c) => c.value!).join(',') }, true)} />;
  }
  return <Select {...common} value={value || null} onChange={(one) => set({ [field.name]: one?.value ?? '' }, true)} />;
}

const split = (list: string): string[] =>
  list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

// useNames asks for the names that the fields offer, each list once.
function useNames(datasource: PlannerDataSource, fields: Field[]): [Partial<Record<NamesOf, Choice[]>>, string | undefined] {
  const [names, setNames] = useState<Partial<Record<NamesOf, Choice[]>>>({});
  const [error, setError] = useState<string>();
  const wanted = [...new Set(fields.flatMap((field) => (field.of ? [field.of] : [])))].sort().join(' ');
  useEffect(() => {
    let gone = false;
    setError(undefined);
    for (const of of wanted.split(' ').filter(Boolean) as NamesOf[]) {
      datasource
        .names(of)
        .then((found) => !gone && setNames((all) => ({ ...all, [of]: found })))
        .catch((e) => {
          if (!gone) {
            setNames((all) => ({ ...all, [of]: [] }));
            setError(e?.data?.message ?? e?.message ?? String(e));
          }
        });
    }
    return () => {
      gone = true;
    };
  }, [datasource, wanted]);
  return [names, error];
}
