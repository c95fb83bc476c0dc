update step set {column} = $1::{type} where number = $2::bigint
