Rails.application.routes.draw do
  root "notes#show"
  post "note", to: "notes#create"
  get "where", to: "notes#where"
  get "stream", to: "feed#show"
end
