update run set {column} = $1::{type} where id = $2::text
