-- The newest case file of each incident and what people said of past answers.

create table case_files (
  incident_uid text primary key,
  built_ns bigint not null,
  bytes bytea not null,
  findings text not null
);

create table outcomes (
  card text not null,
  subject_name text not null,
  confirmed bigint not null,
  refuted bigint not null,
  primary key (card, subject_name)
);
