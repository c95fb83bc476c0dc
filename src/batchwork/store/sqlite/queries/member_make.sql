create temp table member (key text not null, unit integer not null);
create index temp.member_key on member (key)
